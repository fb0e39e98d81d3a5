"""aliyun"""
